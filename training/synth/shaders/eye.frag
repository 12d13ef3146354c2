// Eyeball: white with veins, iris and pupil by angle from the pole in the template.
uniform vec3 iris;
uniform float white;
void main() {
    vec3 d = rest - vec3(sign(rest.x) * 0.0308, 0.7284, 0.1245);
    float r = length(d.xy);
    vec3 colour = white * vec3(0.78, 0.74, 0.71);
    colour = mix(iris * (0.5 + 0.9 * noise(vec3(atan(d.y, d.x) * 9.0, r * 300.0, 0.0))), colour,
                 smoothstep(0.0056, 0.0064, r));
    colour *= mix(0.04, 1.0, smoothstep(0.0022, 0.0028, r));
    put(colour, 0.9, normal, label, 3.0);
}
