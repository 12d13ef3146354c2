// Hair: textured strips or procedural strands; edges are dithered so that averaging makes them soft.
uniform sampler2D diffuse;
uniform float textured;  // 1: the texture has colour and alpha; 0: procedural strands
uniform vec3 hair;
uniform vec3 tips;
uniform float streak;    // frequency of procedural strands along uv or rest
uniform float thin;      // 0 solid .. 1 sparse at the edge mask aux.x
void main() {
    float s;
    if (textured > 0.5) {
        vec4 t = texture(diffuse, uv);
        if (t.a < 0.18 + 0.5 * hash(gl_FragCoord.xy)) discard;
        s = 0.45 + 1.1 * pow(dot(t.rgb, vec3(0.33)) / 0.25, 0.7) * 0.6;
    } else {
        s = 0.5 + 0.9 * noise(vec3(uv.x * streak, uv.y * 9.0, rest.y * 40.0)) *
            (0.5 + noise(rest * vec3(420.0, 60.0, 420.0)));
        if (aux.x < thin * hash(gl_FragCoord.xy)) discard;
    }
    float lock = noise(rest * vec3(110.0, 25.0, 110.0));
    vec3 albedo = mix(hair, tips, clamp((0.80 - rest.y) * 3.0 + 0.5 * lock - 0.3, 0.0, 1.0));
    vec3 bump = noise4(rest * vec3(350.0, 120.0, 350.0)).gba - 0.5;
    put(albedo * s * (0.75 + 0.5 * lock), 0.25, normal + 0.55 * bump, label, 2.0);
}
