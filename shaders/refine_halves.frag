#version 330
// On half the grid: what the person's surface is spread from (core/planes.py: fill_outside), and what it is
// spread by.
#include "refine_steady.glsl"
#include "refine_guide.glsl"

layout(location = 0) out vec4 held;   // depth and normal where they are the person's
layout(location = 1) out vec4 cover;  // share of that, shading as held, alpha, luma

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 others = halved(rest, at);
    float solid = inside(others.x), light = 0.0;
    for (int y = 0; y < pair; ++y)
        for (int x = 0; x < pair; ++x)
            light += luma(at * pair + ivec2(x, y));
    held = halved(shape, at) * solid;
    cover = vec4(solid, others.z * solid, others.x, light / float(pair * pair));
}
