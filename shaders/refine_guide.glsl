// The picture that the network saw: bytes, blue, green and red as three texels one after the other.
uniform sampler2D guide;
uniform vec3 luma_weights;    // of blue, green, red

vec3 colour(ivec2 at) {
    int x = 3 * at.x;
    return vec3(texelFetch(guide, ivec2(x, at.y), 0).x, texelFetch(guide, ivec2(x + 1, at.y), 0).x,
                texelFetch(guide, ivec2(x + 2, at.y), 0).x);
}

float luma(ivec2 at) {
    return dot(colour(at), luma_weights);
}

vec3 halved_colour(ivec2 at, int pair) {
    vec3 total = vec3(0.0);
    for (int y = 0; y < pair; ++y)
        for (int x = 0; x < pair; ++x)
            total += colour(at * pair + ivec2(x, y));
    return total / float(pair * pair);
}
