// Steady geometry (refine_blend.frag), and its means of pair x pair texels (core/planes.py: halved).
uniform sampler2D shape;      // depth, unit normal
uniform sampler2D rest;       // alpha, luma, shading
uniform int pair;             // 2, or 1 where a side is odd

vec4 halved(sampler2D map, ivec2 at) {
    vec4 total = vec4(0.0);
    for (int y = 0; y < pair; ++y)
        for (int x = 0; x < pair; ++x)
            total += texelFetch(map, at * pair + ivec2(x, y), 0);
    return total / float(pair * pair);
}

float inside(float alpha) {
    float t = clamp(alpha * 2.0 - 0.8, 0.0, 1.0);
    return t * t;
}
