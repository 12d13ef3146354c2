#version 330
// Luma of the guide, mean of 3 x 3, edges repeated (core/temporal.py: box3 of luma).
#include "refine_guide.glsl"

out float seen;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy), size = textureSize(guide, 0);
    ivec2 last = ivec2(size.x / 3, size.y) - 1;
    seen = 0.0;
    for (int dy = -1; dy <= 1; ++dy)
        for (int dx = -1; dx <= 1; ++dx)
            seen += luma(clamp(at + ivec2(dx, dy), ivec2(0), last));
    seen /= 9.0;
}
