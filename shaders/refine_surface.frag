#version 330
// On the grid: the surface carried beyond the silhouette, what casts shadows, and alpha by the guide's colours,
// not yet blurred (core/planes.py: shape, occluder, guided).
#include "refine_steady.glsl"
#include "refine_guide.glsl"

uniform sampler2D filled;
uniform float eps;

layout(location = 0) out vec4 surface;   // depth, normal
layout(location = 1) out vec2 occluder;  // depth, alpha
layout(location = 2) out vec4 matte;     // alpha = xyz . colour + w

// x where m x = v, m symmetric and positive. By Cholesky's way without roots: cofactors lose in float32 what the
// colours of a hard edge have in common.
vec3 solved(mat3 m, vec3 v) {
    float l1 = m[0].y / m[0].x, l2 = m[0].z / m[0].x;
    float d = m[1].y - l1 * m[0].y;
    float l3 = (m[1].z - l1 * m[0].z) / d;
    float e = m[2].z - l2 * m[0].z - l3 * l3 * d;
    vec3 x = vec3(v.x, v.y - l1 * v.x, 0.0);
    x.z = (v.z - l2 * x.x - l3 * x.y) / e;
    x.y = x.y / d - l3 * x.z;
    x.x = x.x / m[0].x - l1 * x.y - l2 * x.z;
    return x;
}

vec4 by_colour(ivec2 at) {
    ivec2 last = textureSize(rest, 0) - 1;
    vec3 here = colour(at);   // colours count from it, so that little is lost when squares are subtracted
    vec3 mean = vec3(0.0), along = vec3(0.0);
    mat3 square = mat3(0.0);
    float alpha = 0.0;
    const float share = 1.0 / float((2 * RADIUS + 1) * (2 * RADIUS + 1));
    for (int dy = -RADIUS; dy <= RADIUS; ++dy)
        for (int dx = -RADIUS; dx <= RADIUS; ++dx) {
            ivec2 there = clamp(at + ivec2(dx, dy), ivec2(0), last);
            vec3 c = colour(there) - here;
            float value = texelFetch(rest, there, 0).x;
            mean += c * share;
            alpha += value * share;
            along += c * (value * share);
            square += outerProduct(c, c) * share;
        }
    mat3 spread = square - outerProduct(mean, mean) + mat3(eps);
    vec3 a = solved(spread, along - mean * alpha);
    return vec4(a, alpha - dot(a, mean + here));
}

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    float alpha = texelFetch(rest, at, 0).x;
    vec4 beyond = texture(filled, gl_FragCoord.xy / vec2(textureSize(rest, 0)));
    surface = beyond + (texelFetch(shape, at, 0) - beyond) * inside(alpha);
    occluder = vec2(surface.x, alpha);
    matte = by_colour(at);
}
