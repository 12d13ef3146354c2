// How a surface answers light: core/brdf.py says what each is. Channels are blue, green, red.
const float F0 = 0.04;
const float C1 = 0.287793409;
const float C2 = 0.0724889;
const vec3 SCATTER = vec3(0.3, 0.5, 1.0);
const vec3 GLOW = vec3(0.04, 0.07, 0.14);

float albedo(float cosine, float sigma) {
    float m = 1.0 - cosine;
    float poly = m * (0.0571085289 + m * (0.491881867 + m * (-0.332181442 + m * 0.0714429953)));
    return (1.0 + sigma * poly) / (1.0 + C1 * sigma);
}

float oren_nayar(float nl, float nv, float lv, float sigma) {
    float s = lv - nl * nv;
    float t = s > 0.0 ? max(max(nl, nv), 1e-3) : 1.0;
    float single = (1.0 + sigma * s / t) / (1.0 + C1 * sigma);
    float mean = (1.0 + C2 * sigma) / (1.0 + C1 * sigma);
    float lost = (1.0 - albedo(nl, sigma)) * (1.0 - albedo(nv, sigma));
    return max(single + lost / max(1.0 - mean, 1e-4), 0.0);
}

// White light (blue, green, red) that has spread under skin, never colder than it came: where a fold is brighter
// than what is round it red runs off, and what is left would read as a blue, wet spot.
vec3 warm(vec3 matt) {
    matt.y = max(matt.y, matt.x);
    matt.z = max(matt.z, matt.y);
    return matt;
}

vec3 horizon(vec3 cosine, vec3 spread) {
    vec3 above = clamp(cosine + spread, vec3(0.0), 2.0 * spread);
    return above * above / (4.0 * spread) + max(cosine - spread, vec3(0.0));
}

float ggx(float nl, float nv, float nh, float lh, float alpha, float spread, float f0) {
    float wide = min(alpha + 0.5 * spread, 1.0);
    float a2 = wide * wide;
    float d = nh * nh * (a2 - 1.0) + 1.0;
    float lobe = a2 / (d * d);
    float shade = 0.5 / max(2.0 * nl * nv * (1.0 - alpha) + (nl + nv) * alpha, 1e-3);
    float miss = 1.0 - clamp(lh, 0.0, 1.0);
    float miss2 = miss * miss;
    return lobe * shade * (f0 + (1.0 - f0) * miss2 * miss2 * miss) * clamp(nl, 0.0, 1.0);
}

float sure(float nv) {
    return clamp(nv / 0.5, 0.0, 1.0);
}
