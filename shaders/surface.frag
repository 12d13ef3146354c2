#version 330
// Depth and normal at this target's size, along the picture's edges.
#include "guided.glsl"

uniform sampler2D picture;    // encoded BGR; at this size unless PICTURE_APART

in vec2 uv;
out vec4 shape;

void main() {
#ifdef PICTURE_APART
    vec3 seen = texture(picture, uv).xyz;
#else
    vec3 seen = texelFetch(picture, ivec2(gl_FragCoord.xy), 0).xyz;
#endif
    vec3 n = vec3(guided(NORMAL_X, uv, seen), guided(NORMAL_Y, uv, seen), guided(NORMAL_Z, uv, seen));
    shape = vec4(guided(DEPTH, uv, seen), n / max(length(n), 1e-6));
}
