#version 330
// On half the grid: what the person's surface is spread from (core/planes.py: fill_outside), what it is spread
// by, and the colour of both sides of the edge (contrast).
#include "refine_steady.glsl"
#include "refine_guide.glsl"

layout(location = 0) out vec4 held;   // depth and normal where they are the person's
layout(location = 1) out vec4 cover;  // share of that, shading as held, alpha, luma
layout(location = 2) out vec4 near;   // the person's colour times their share, that share
layout(location = 3) out vec4 far;    // the same of what is behind

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 others = halved(rest, at);
    float solid = inside(others.x), away = clamp(1.0 - 2.5 * others.x, 0.0, 1.0);
    vec3 seen = halved_colour(at, pair);
    held = halved(shape, at) * solid;
    cover = vec4(solid, others.z * solid, others.x, dot(seen, luma_weights));
    near = vec4(seen, 1.0) * solid;
    far = vec4(seen, 1.0) * away * away;
}
