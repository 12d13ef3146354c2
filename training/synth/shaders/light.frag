#version 330
// Deferred light: spherical harmonics + up to three lights, a shadow map for the first. Linear colour out.
uniform sampler2D albedo_map;
uniform sampler2D normal_map;
uniform sampler2D label_map;
uniform sampler2D shadow_map;
uniform vec3 sh[9];        // irradiance coefficients over pi, camera axes
uniform vec4 place[3];     // xyz = direction toward the light (w 0) or its place in metres (w 1), camera axes
uniform vec3 power[3];
uniform mat4 shadow_from_camera;
uniform vec2 shadow;       // strength, softness in texels
uniform vec2 tan_half;     // tangent of half the field of view, x and y
uniform vec3 subsurface;   // wrap per channel on skin
in vec2 uv;
out vec4 colour;

float hash(vec2 p) { return fract(sin(dot(p, vec2(12.9898, 78.233))) * 43758.5453); }

float lit(vec3 p) {
    vec3 q = (shadow_from_camera * vec4(p, 1.0)).xyz * 0.5 + 0.5;
    float sum = 0.0;
    float spin = 6.283 * hash(gl_FragCoord.xy);
    for (int k = 0; k < 4; k++) {
        float a = spin + 1.571 * float(k);
        vec2 o = shadow.y * (0.5 + 0.5 * float(k & 1)) * vec2(cos(a), sin(a)) / vec2(textureSize(shadow_map, 0));
        sum += step(q.z, texture(shadow_map, q.xy + o).r);
    }
    return mix(1.0, sum * 0.25, shadow.x);
}

void main() {
    vec4 surface = texture(label_map, uv);
    if (surface.w <= 0.0) { colour = vec4(0.0); return; }
    vec4 a = texture(albedo_map, uv);
    vec4 nm = texture(normal_map, uv);
    vec3 albedo = a.rgb * a.rgb;
    vec3 n = nm.xyz;
    vec3 p = vec3((uv * 2.0 - 1.0) * tan_half, -1.0) * surface.w;
    vec3 v = normalize(-p);
    vec3 e = sh[0] + sh[1] * n.y + sh[2] * n.z + sh[3] * n.x + sh[4] * (n.x * n.y) + sh[5] * (n.y * n.z)
           + sh[6] * (3.0 * n.z * n.z - 1.0) + sh[7] * (n.x * n.z) + sh[8] * (n.x * n.x - n.y * n.y);
    vec3 sum = albedo * max(e, vec3(0.0));
    float kind = nm.w;
    float gloss = kind > 2.5 ? 90.0 : (kind > 1.5 ? 14.0 : (kind > 0.5 ? 22.0 : 8.0));
    vec3 wrap = (kind > 0.5 && kind < 1.5) ? subsurface : vec3(kind > 1.5 && kind < 2.5 ? 0.25 : 0.0);
    vec3 r = reflect(-v, n);
    vec3 er = sh[0] + sh[1] * r.y + sh[2] * r.z + sh[3] * r.x;
    float fresnel = 0.04 + 0.6 * pow(1.0 - max(dot(n, v), 0.0), 5.0);
    sum += a.a * fresnel * max(er, vec3(0.0));
    for (int k = 0; k < 3; k++) {
        if (dot(power[k], vec3(1.0)) <= 0.0) continue;
        vec3 l = place[k].xyz - place[k].w * p;
        float fall = place[k].w > 0.5 ? 1.0 / max(dot(l, l), 0.02) : 1.0;
        l = normalize(l);
        float ndl = dot(n, l);
        vec3 diffuse = max((vec3(ndl) + wrap) / (1.0 + wrap), vec3(0.0));
        float spec = a.a * pow(max(dot(n, normalize(l + v)), 0.0), gloss) * (gloss + 8.0) / 25.0 * step(0.0, ndl) * 0.12;
        float s = k == 0 ? lit(p) : 1.0;
        sum += power[k] * fall * s * (albedo * diffuse + spec);
    }
    colour = vec4(sum, 1.0);
}
