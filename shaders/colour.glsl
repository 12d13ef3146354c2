// sRGB transfer curve, IEC 61966-2-1, without pow: a software rasteriser spends most of a frame in it.
// Least-squares fits to the exact curve, weighted to even the error as seen: decoding is within 0.43/255 of an
// encoded step, encoding within 0.1/255. Colours are BGR here, as in the picture's memory.
vec3 srgb_to_linear(vec3 v) {
    return v * (0.06643488 + v * (0.194986 + v * (1.769234 + v * (-1.777636 + v * 0.7507648))));
}

vec3 linear_to_srgb(vec3 v) {
    v = clamp(v, 0.0, 1.0);
    vec3 root = sqrt(v);
    vec3 curve = 0.833749 * root + 0.2981138 * sqrt(root) - 0.05531755 * v - 0.0769052;
    return mix(v * 12.92, curve, step(0.0031308, v));
}

float luma(vec3 bgr) {
    return dot(bgr, vec3(0.0722, 0.7152, 0.2126));
}

float brightest(vec3 v) {
    return max(v.x, max(v.y, v.z));
}

// Added light rolls off toward white; an untouched pixel stays (core/reference.py: shoulder).
vec3 shoulder(vec3 lit, vec3 base) {
    float before = min(brightest(base), 1.0);
    float after = brightest(lit);
    float room = max(1.0 - before, 1e-3);
    float rolled = before + room * (1.0 - exp(-max(after - before, 0.0) / room));
    return after > before ? lit * (rolled / max(after, 1e-6)) : lit;
}
