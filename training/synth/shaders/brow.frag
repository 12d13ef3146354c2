// Brows and lashes: alpha-tested strips that lie on the skin.
uniform sampler2D diffuse;
uniform vec3 hair;
void main() {
    float a = texture(diffuse, uv).a;
    if (a < 0.2 + 0.6 * hash(gl_FragCoord.xy)) discard;
    put(hair, 0.05, normal, label, 2.0);
}
