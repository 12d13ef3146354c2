// Eyeball: white with veins, iris with a dark rim, pupil, by angle from the pole in the template; lids'
// shade above and in the corners.
uniform vec3 iris;
uniform float white;
uniform float pupil;     // radius, metres
uniform float veins;     // 0..1
void main() {
    vec3 d = rest - vec3(sign(rest.x) * 0.0308, 0.7284, 0.1245);
    float r = length(d.xy);
    vec4 grain = noise4(vec3(atan(d.y, d.x) * 9.0, r * 300.0, sign(rest.x) * 4.0));
    float thread = smoothstep(0.62, 0.80, noise4(vec3(d.x * 500.0, d.y * 900.0, 3.0 + sign(rest.x))).g);
    float side = smoothstep(0.006, 0.012, r);
    vec3 colour = white * vec3(0.76, 0.71, 0.68) * mix(vec3(1.0), vec3(0.92, 0.52, 0.48), veins * (0.25 + thread) * side);
    vec3 stroma = iris * (0.45 + 0.9 * grain.r) * mix(1.25, 0.4, smoothstep(0.0042, 0.0060, r));
    colour = mix(stroma, colour, smoothstep(0.0056, 0.0064, r));
    colour *= mix(0.04, 1.0, smoothstep(pupil, pupil + 0.0006, r));
    colour *= 1.0 - 0.55 * smoothstep(0.0005, 0.0065, d.y) - 0.35 * smoothstep(0.008, 0.0125, abs(d.x));
    put(colour, 0.9, normal, label, 3.0);
}
