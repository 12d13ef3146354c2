#version 330
// On half the grid: what the person's surface is spread from (core/planes.py: fill_outside), what it is spread
// by, and the luma of both sides of the edge (contrast).
#include "refine_steady.glsl"
#include "refine_guide.glsl"

layout(location = 0) out vec4 held;   // depth and normal where they are the person's
layout(location = 1) out vec4 cover;  // share of that, shading as held, alpha, luma
layout(location = 2) out vec4 sides;  // share of the person, its luma, share of what is behind, its luma

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 others = halved(rest, at);
    float solid = inside(others.x), light = 0.0;
    for (int y = 0; y < pair; ++y)
        for (int x = 0; x < pair; ++x)
            light += luma(at * pair + ivec2(x, y));
    held = halved(shape, at) * solid;
    light /= float(pair * pair);
    cover = vec4(solid, others.z * solid, others.x, light);
    float away = clamp(1.0 - 2.5 * others.x, 0.0, 1.0);
    sides = vec4(solid, solid * light, away * away, away * away * light);
}
