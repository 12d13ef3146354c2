// Light from all round; core/environment.py says what each is and is the same. Channels are blue, green, red.
//
// env_map holds environment.atlas(env), a float32 array of rows x columns x 4 that is uploaded once for each
// environment:
//     map = ctx.texture((columns, rows), 4, array.tobytes(), dtype="f4")
// It has no mip levels of its own: the blurred environments lie one below the other, and each repeats its
// first column as its last, so nothing wraps; single texels are fetched, so filter and repeat do not matter.
// The other uniforms are environment.uniforms(env, az): arrays are written with tobytes(), env_turn is set as
// a pair.
const int ENV_LEVELS = 10;
const float ENV_LEAN = 0.6;
const float ENV_KNEE = 0.15;
const float ENV_PI = 3.14159265359;
const mat4 ENV_SCALE = mat4(-0.2256, 6.4752, -10.4374, 5.1439, 2.0219, -22.5922, 47.8672, -26.6621,
                            -0.1308, 21.0111, -60.0389, 37.1961, -0.8172, -6.2822, 24.1356, -16.3829);

uniform vec3 env_sh[9];
uniform sampler2D env_map;
uniform vec4 env_levels[ENV_LEVELS];  // of each level: columns and rows less one, first row in the map
uniform vec2 env_turn;                // cosine and sine of its azimuth

vec3 env_turned(vec3 d) {
    return vec3(d.x * env_turn.x - d.z * env_turn.y, d.y, d.z * env_turn.x + d.x * env_turn.y);
}

vec3 env_diffuse(vec3 n) {
    vec3 d = env_turned(n);
    vec3 value = env_sh[0] + env_sh[1] * d.x + env_sh[2] * d.y + env_sh[3] * d.z
               + env_sh[4] * (d.x * d.y) + env_sh[5] * (d.y * d.z) + env_sh[6] * (3.0 * d.z * d.z - 1.0)
               + env_sh[7] * (d.x * d.z) + env_sh[8] * (d.x * d.x - d.y * d.y);
    vec3 knee = max(ENV_KNEE * env_sh[0], vec3(1e-6));
    vec3 low = clamp(value + knee, vec3(0.0), 2.0 * knee);
    return low * low / (4.0 * knee) + max(value - knee, vec3(0.0));
}

// Bilinear by hand: between a sun and the sky, the 8 bits of a card's own filter are too few.
vec3 env_level(int i, vec2 uv) {
    vec4 level = env_levels[i];
    vec2 at = uv * level.xy;
    vec2 cell = clamp(floor(at), vec2(0.0), level.xy - 1.0);
    vec2 f = at - cell;
    ivec2 first = ivec2(cell.x, cell.y + level.z);
    vec3 upper = mix(texelFetch(env_map, first, 0).xyz, texelFetch(env_map, first + ivec2(1, 0), 0).xyz, f.x);
    first.y += 1;
    vec3 lower = mix(texelFetch(env_map, first, 0).xyz, texelFetch(env_map, first + ivec2(1, 0), 0).xyz, f.x);
    return mix(upper, lower, f.y);
}

vec3 env_radiance(vec3 direction, float roughness) {
    vec3 d = env_turned(direction);
    float across = length(d.xz);
    // Right above and below all azimuths are one; atan(0, 0) may be anything.
    float az = across > 0.0 ? atan(d.x, d.z) : 0.0;
    vec2 at = vec2(az / (2.0 * ENV_PI) + 0.5, 0.5 - atan(d.y, across) / ENV_PI);
    float t = clamp((roughness - 0.1) / 0.1, 0.0, float(ENV_LEVELS - 1));
    int i = min(int(t), ENV_LEVELS - 2);
    return mix(env_level(i, at), env_level(i + 1, at), t - float(i));
}

// The share that is reflected of even light.
float env_reflectance(float nv, float r, float f0) {
    float scale = dot(vec4(1.0, nv, nv * nv, nv * nv * nv), ENV_SCALE * vec4(1.0, r, r * r, r * r * r));
    float over = 0.9141 - 2.0466 * nv - 0.2493 * r + 1.61 * nv * nv - 0.1169 * r * r + 0.2261 * nv * r;
    float under = 1.0 - 1.7462 * nv + 1.9925 * r + 10.8896 * nv * nv + 11.5851 * r * r - 16.2052 * nv * r;
    float bias = max((1.0 - nv) * (1.0 - nv) * over / under, 0.0);
    return f0 * clamp(scale, 0.0, 1.0) + bias;
}

// n, view: unit, view toward the camera; roughness: 0.1..1; f0: reflectance head-on.
vec3 env_specular(vec3 n, vec3 view, float roughness, float f0) {
    float nv = max(dot(n, view), 0.0);
    vec3 mirrored = 2.0 * nv * n - view;
    mirrored = mix(mirrored, n, ENV_LEAN * roughness * roughness * roughness);
    mirrored /= max(length(mirrored), 1e-6);
    return env_radiance(mirrored, roughness) * env_reflectance(nv, roughness, f0);
}
