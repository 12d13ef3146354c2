// Cloth: plain, striped, checked, printed or from a texture; folds are in the mesh, weave in the bump.
uniform sampler2D diffuse;
uniform float textured;
uniform vec3 colour;
uniform vec3 second;
uniform vec4 pattern;  // kind (0 plain, 1 stripes, 2 checks, 3 blotches, 4 print on the chest, 5 zip), pitch, angle, softness
uniform float shine;
uniform float weave;
uniform float cut;     // discard where aux.x is below this
uniform vec3 seed;
void main() {
    if (aux.x < cut) discard;
    vec3 albedo = colour;
    if (textured > 0.5) albedo *= 0.12 + 1.1 * texture(diffuse, uv).rgb;
    float c = cos(pattern.z), s = sin(pattern.z);
    vec2 q = vec2(c * rest.x - s * rest.y, s * rest.x + c * rest.y) / pattern.y;
    float m = 0.0;
    if (pattern.x == 1.0) m = smoothstep(0.5 - pattern.w, 0.5 + pattern.w, abs(fract(q.y) * 2.0 - 1.0));
    if (pattern.x == 2.0)
        m = 0.5 * smoothstep(0.4, 0.6, abs(fract(q.y) * 2.0 - 1.0)) + 0.5 * smoothstep(0.4, 0.6, abs(fract(q.x) * 2.0 - 1.0));
    if (pattern.x == 3.0) m = smoothstep(0.5 - pattern.w, 0.5 + pattern.w, noise(rest / pattern.y + seed));
    if (pattern.x == 4.0) {
        vec2 d = (rest.xy - vec2(0.0, 0.43)) / vec2(0.09, 0.05);
        m = step(max(abs(d.x), abs(d.y)), 1.0) * step(0.03, rest.z) * step(0.45, noise(vec3(rest.xy * 90.0, 1.0) + seed));
    }
    if (pattern.x == 5.0) m = smoothstep(0.006, 0.004, abs(rest.x)) * step(0.0, rest.z);
    albedo = mix(albedo, second, m);
    albedo *= 0.86 + 0.28 * noise(rest * 45.0 + seed);
    vec3 bump = noise4(rest * 500.0).rgb - 0.5 + 0.6 * (noise4(rest * 60.0 + seed).gba - 0.5);
    put(albedo, shine, normal + weave * bump, label, 0.0);
}
