#version 330
// One step of smoothing over time (core/temporal.py: step). What comes out is shown and remembered.
uniform sampler2D maps;       // one above the other: normal x, y, z, depth, alpha and, with SHADING, shading
uniform sampler2D seen;       // blurred luma now
uniform sampler2D old_shape;  // as `shape` and `rest` were last time
uniform sampler2D old_rest;
uniform bool fresh;           // nothing is remembered, or it does not count
uniform float least;          // weight of what is new where nothing moves
uniform vec2 still_moving;    // change of luma up to which a texel is at rest, and from which it takes what is new
uniform float cut;

flat in float mean;           // the picture's change of pattern
layout(location = 0) out vec4 shape;  // depth, unit normal
layout(location = 1) out vec4 rest;   // alpha, luma, shading

float map(int index, ivec2 at) {
    return texelFetch(maps, ivec2(at.x, at.y + index * textureSize(seen, 0).y), 0).x;
}

float moved(ivec2 at) {
    float change = abs(texelFetch(seen, at, 0).x - texelFetch(old_rest, at, 0).y);
    float t = clamp((change - still_moving.x) / (still_moving.y - still_moving.x), 0.0, 1.0);
    return t * t * (3.0 - 2.0 * t);
}

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy), last = textureSize(seen, 0) - 1;
    shape = vec4(map(3, at), map(0, at), map(1, at), map(2, at));
    rest = vec4(map(4, at), texelFetch(seen, at, 0).x, 0.0, 0.0);
#ifdef SHADING
    rest.z = map(5, at);
#endif
    if (fresh || mean > cut)
        return;
    // A moving edge also uncovers its neighbours.
    float most = 0.0;
    for (int dy = -1; dy <= 1; ++dy)
        for (int dx = -1; dx <= 1; ++dx)
            most = max(most, moved(clamp(at + ivec2(dx, dy), ivec2(0), last)));
    float weight = least + (1.0 - least) * most;
    vec4 was_shape = texelFetch(old_shape, at, 0), was_rest = texelFetch(old_rest, at, 0);
    shape = was_shape + (shape - was_shape) * weight;
    shape.yzw /= max(length(shape.yzw), 1e-6);
    rest = was_rest + (rest - was_rest) * weight;
}
