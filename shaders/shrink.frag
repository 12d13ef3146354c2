#version 330
// A light map at a smaller size: the mean of taps x taps bilinear samples over each pixel.
uniform sampler2D whole;
uniform vec2 cell;    // from tap to tap
uniform int taps;

in vec2 uv;
out vec4 mean;

void main() {
    vec2 first = uv - 0.5 * float(taps - 1) * cell;
    mean = vec4(0.0);
    for (int y = 0; y < taps; y++)
        for (int x = 0; x < taps; x++)
            mean += texture(whole, first + vec2(x, y) * cell);
    mean /= float(taps * taps);
}
