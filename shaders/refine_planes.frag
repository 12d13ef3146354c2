#version 330
// The coefficients that guided.glsl reads, layers as there (core/planes.py: coefficients).
#include "refine_guide.glsl"

uniform sampler2D matte;      // refine_surface.frag's
uniform sampler2D surface;
uniform sampler2D slopes;     // of depth and normal, on half the grid

flat in int layer;
out vec4 plane;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy), size = textureSize(surface, 0);
    if (layer == 0) {
        plane = vec4(0.0);
        for (int dy = -RADIUS; dy <= RADIUS; ++dy)
            for (int dx = -RADIUS; dx <= RADIUS; ++dx)
                plane += texelFetch(matte, clamp(at + ivec2(dx, dy), ivec2(0), size - 1), 0);
        plane /= float((2 * RADIUS + 1) * (2 * RADIUS + 1));
        return;
    }
    float slope = texture(slopes, gl_FragCoord.xy / vec2(size))[layer - 1];
    plane = vec4(slope * luma_weights, texelFetch(surface, at, 0)[layer - 1] - slope * luma(at));
}
