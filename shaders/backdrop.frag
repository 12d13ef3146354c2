#version 330
// What the composite does to an encoded value where nobody is: a table of it, one value a column.
#include "colour.glsl"

uniform float backdrop;

in vec2 uv;
out vec4 value;

void main() {
    vec3 encoded = vec3((gl_FragCoord.x - 0.5) / 255.0);
    vec3 base = srgb_to_linear(encoded);
    vec3 lit = base * backdrop;
    value = vec4(lit == base ? encoded : linear_to_srgb(shoulder(lit, base)), 1.0);
}
