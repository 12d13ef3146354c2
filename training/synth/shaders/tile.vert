#version 330
// A square of pixels that has something to light: a point at its middle, as large as the square.
uniform float side;  // pixels
in vec2 middle;      // clip space
void main() {
    gl_PointSize = side;
    gl_Position = vec4(middle, 0.0, 1.0);
}
