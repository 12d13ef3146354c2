// Share of the sky that nothing near hides, 0..1: ambient occlusion from the depth, once per view.
out float sky;

const float NEAR_REACH = 0.035, FAR_REACH = 0.14;  // metres that occluders reach

// Half of the probes look close, half far.
float open_sky(vec2 uv, vec3 p, vec3 n, float z, vec2 odd) {
    float hidden = 0.0;
    vec2 ray = p.xy / z;
    vec2 straight = tan_half / (1.0 + lens * min(dot(ray, ray), 2.5));  // good enough near p
    for (int k = 0; k < PROBES / 4; k++) {
        bool close = (k & 1) == 0;
        float reach = close ? NEAR_REACH : FAR_REACH;
        vec2 at = uv + reach * probe(k, odd) / (2.0 * z * tan_half);
        float there = texture(label_map, at).w;
        vec3 d = vec3((at * 2.0 - 1.0) * straight, -1.0) * there - p;
        float far = dot(d, d);
        float rise = max(dot(n, d) * inversesqrt(far + 1e-8) - 0.12, 0.0);
        hidden += step(0.01, there) * rise * max(1.0 - far / (reach * reach), 0.0);
    }
    return max(1.0 - 2.2 * hidden / float(PROBES / 4), 0.12);
}

void main() {
    vec2 uv = gl_FragCoord.xy / vec2(textureSize(label_map, 0));
    vec4 surface = texture(label_map, uv);
    float z = max(surface.w, 0.05);
    vec2 odd = mod(floor(gl_FragCoord.xy), 2.0);
    vec2 same = vec2(lessThan(abs(vec2(dFdx(surface.w), dFdy(surface.w))), vec2(0.02)));
    sky = shared_mean(open_sky(uv, place_of(uv, z), surface.xyz, z, odd), odd, same);
}
