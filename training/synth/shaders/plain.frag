// One colour: mouth, teeth, glasses, headphones, props.
uniform vec3 colour;
uniform float shine;
uniform float material;
void main() {
    put(colour * (0.9 + 0.2 * noise(rest * 60.0)), shine, normal, label, material);
}
