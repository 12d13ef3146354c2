#version 330
// Means over (2 RADIUS + 1)^2 texels, edges repeated (core/planes.py: box_mean), of one texture or of two.
uniform sampler2D first;
layout(location = 0) out vec4 first_mean;
#ifdef BOTH
uniform sampler2D second;
layout(location = 1) out vec4 second_mean;
#endif

vec4 mean(sampler2D map) {
    ivec2 at = ivec2(gl_FragCoord.xy), last = textureSize(map, 0) - 1;
    vec4 total = vec4(0.0);
    for (int dy = -RADIUS; dy <= RADIUS; ++dy)
        for (int dx = -RADIUS; dx <= RADIUS; ++dx)
            total += texelFetch(map, clamp(at + ivec2(dx, dy), ivec2(0), last), 0);
    return total / float((2 * RADIUS + 1) * (2 * RADIUS + 1));
}

void main() {
    first_mean = mean(first);
#ifdef BOTH
    second_mean = mean(second);
#endif
}
