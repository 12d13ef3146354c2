// One colour: mouth, teeth, glasses, headphones, props. aux.y = 1: a lens, aux.x what it stops.
uniform vec3 colour;
uniform float shine;
uniform float material;
void main() {
    vec3 c = colour * (0.9 + 0.2 * noise(rest * 60.0));
    if (aux.y > 0.5) {
        // Ordered over the 2x2 samples of a pixel, so that their average is an even tint.
        vec2 cell = mod(floor(gl_FragCoord.xy), 2.0);
        float rank = (abs(cell.x - cell.y) + 2.0 * cell.y) * 0.25 + 0.125;
        float stop = aux.x < 0.0 ? 0.45 : aux.x + 0.25 * (uv.y + 0.3) * step(aux.x, 0.7);
        if (stop < rank) discard;
        c = aux.x < 0.0 ? vec3(0.9, 0.95, 1.0) : colour;
    }
    put(c, shine, normal, label, material);
}
