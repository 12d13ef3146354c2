#version 330
// On half the grid: how much of the luma's change depth and normal take up (core/planes.py: guided_by_luma),
// and the first of two blurs of `soft`.
uniform sampler2D filled;     // depth, normal
uniform sampler2D cover;      // w: luma (refine_halves.frag)
uniform sampler2D soft;
uniform float eps;

layout(location = 0) out vec4 soft_mean;
layout(location = 1) out vec4 slopes;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy), last = textureSize(filled, 0) - 1;
    vec4 mean = vec4(0.0), along = vec4(0.0);
    float light = 0.0, square = 0.0;
    soft_mean = vec4(0.0);
    const float share = 1.0 / float((2 * RADIUS + 1) * (2 * RADIUS + 1));
    for (int dy = -RADIUS; dy <= RADIUS; ++dy)
        for (int dx = -RADIUS; dx <= RADIUS; ++dx) {
            ivec2 there = clamp(at + ivec2(dx, dy), ivec2(0), last);
            float l = texelFetch(cover, there, 0).w;
            vec4 value = texelFetch(filled, there, 0);
            mean += value * share;
            along += value * (l * share);
            light += l * share;
            square += l * l * share;
            soft_mean += texelFetch(soft, there, 0) * share;
        }
    slopes = (along - light * mean) / (square - light * light + eps);
}
