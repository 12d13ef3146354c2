// Deferred light: spherical harmonics + up to three lights, a shadow map for the first, ambient
// occlusion from `open.frag`. Linear colour out. Linear in every lamp's power: lamps never see each other.
// SOURCE: one point of a source instead (source.glsl). PLASTER: all is white and does not shine.
uniform sampler2D albedo_map;
uniform sampler2D normal_map;
uniform sampler2D open_map;
uniform sampler2D shadow_map;
uniform vec3 sh[9];        // irradiance coefficients over pi, camera axes
uniform int lamps;         // how many of the next two count; at least 1
uniform vec4 place[3];     // xyz = direction toward the light (w 0) or its place in metres (w 1), camera axes
uniform vec3 power[3];     // irradiance over pi; of a place, at one metre
uniform mat4 shadow_from_camera;
uniform vec2 shadow;       // strength, softness in texels
uniform vec3 subsurface;   // wrap per channel on skin
out vec4 colour;

#ifndef SOURCE
// Share of the first lamp's light that arrives at p on a surface with normal n, 0..1. The probes lie
// in the surface, so that it does not shade itself.
float lit(vec3 p, vec3 n, vec2 odd) {
    mat3 m = mat3(shadow_from_camera) * 0.5;
    float metre = length(vec3(m[0][0], m[1][0], m[2][0])) * float(textureSize(shadow_map, 0).x);  // texels
    float reach = max(shadow.y, 0.7) / metre;
    vec3 side = normalize(cross(n, abs(n.y) < 0.9 ? vec3(0.0, 1.0, 0.0) : vec3(1.0, 0.0, 0.0)));
    vec3 q = (shadow_from_camera * vec4(p, 1.0)).xyz * 0.5 + 0.5, s = m * side * reach, t = m * cross(n, side) * reach;
    float sum = 0.0;
    for (int k = 0; k < PROBES / 4; k++) {
        vec2 o = probe(k, odd);
        vec3 at = q + o.x * s + o.y * t;
        sum += clamp(250.0 * (texture(shadow_map, at.xy).r - at.z) + 0.5, 0.0, 1.0);
    }
    return sum / float(PROBES / 4);
}
#endif

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec2 uv = gl_FragCoord.xy / vec2(textureSize(label_map, 0));
    vec4 surface = texelFetch(label_map, at, 0);
    float z = max(surface.w, 0.05);
    vec3 p = place_of(uv, z);
    vec2 odd = mod(floor(gl_FragCoord.xy), 2.0);
    vec2 same = vec2(lessThan(abs(vec2(dFdx(surface.w), dFdy(surface.w))), vec2(0.02)));
    float open = texelFetch(open_map, at, 0).r;
#ifndef SOURCE
    float direct = shared_mean(lit(p + 0.004 * surface.xyz, surface.xyz, odd), odd, same);
#endif
    if (surface.w <= 0.0) { colour = vec4(0.0); return; }
    vec4 a = texelFetch(albedo_map, at, 0);
    vec4 nm = texelFetch(normal_map, at, 0);
#ifdef PLASTER
    a = vec4(1.0, 1.0, 1.0, 0.0);
#endif
    vec3 albedo = a.rgb * a.rgb;
    vec3 n = nm.xyz;
    vec3 v = normalize(-p);
    bool skin = nm.w > 0.5 && nm.w < 1.5, hair = nm.w > 1.5 && nm.w < 2.5, glossy = nm.w > 2.5;
    // Light that leaves skin came partly through it: creases turn red before they turn dark.
    vec3 sky = skin ? vec3(sqrt(open), open, open) : vec3(open);
    vec3 e = sh[0] + sh[1] * n.y + sh[2] * n.z + sh[3] * n.x + sh[4] * (n.x * n.y) + sh[5] * (n.y * n.z)
           + sh[6] * (3.0 * n.z * n.z - 1.0) + sh[7] * (n.x * n.z) + sh[8] * (n.x * n.x - n.y * n.y);
    float edge = 1.0 - max(dot(n, v), 0.0);
    float graze = edge * edge * edge * edge;
    vec3 r = reflect(-v, n);
    vec3 er = sh[0] + sh[1] * r.y + sh[2] * r.z + sh[3] * r.x;
    vec3 fuzz = nm.w < 0.5 ? 0.25 * graze * sqrt(albedo) : vec3(0.0);  // sheen of fibres that stand off
#ifdef PLASTER
    fuzz = vec3(0.0);
#endif
    vec3 sum = sky * (albedo + fuzz) * max(e, vec3(0.0));
    sum += open * a.a * (0.04 + (glossy ? 0.6 : 0.2) * graze) * max(er, vec3(0.0));

    // Two lobes each: exponents and weights. Normalised Blinn-Phong, F0 (n + 8) / 8; hair after
    // Kajiya & Kay 1989 with the two shifted highlights of Marschner et al. 2003.
    vec2 power2 = hair ? vec2(45.0, 12.0) : (skin ? vec2(9.0, 38.0) : (glossy ? vec2(70.0, 12.0) : vec2(8.0, 24.0)));
    vec3 first = vec3(hair ? 0.16 * a.a : (skin ? 0.03 + 0.05 * a.a : (glossy ? 0.9 * a.a : 0.10 * a.a)));
    vec3 second = hair ? 1.4 * a.a * albedo : vec3(skin ? 0.14 * a.a : (glossy ? 0.05 : 0.03) * a.a);
    vec3 along = normalize(vec3(0.0, 1.0, 0.05) - n * (n.y + 0.05 * n.z));  // strands hang down
    vec3 root = normalize(along + 0.10 * n), tip = normalize(along - 0.14 * n);
    vec3 wrap = skin ? subsurface : vec3(hair ? 0.3 : 0.0);
    int k = 0;
    do {  // a software rasteriser runs what it will not use: no round more than there are lamps
        bool near = place[k].w > 0.5;
        vec3 l = near ? place[k].xyz - p : place[k].xyz;
        float fall = near ? 1.0 / max(dot(l, l), 0.02) : 1.0;
        l *= inversesqrt(max(dot(l, l), 1e-12));
        vec3 h = normalize(l + v);
        float ndl = dot(n, l), ndh = max(dot(n, h), 0.0);
        vec3 diffuse = max((vec3(ndl) + wrap) / (1.0 + wrap), vec3(0.0));
        vec2 lobe = hair ? sqrt(max(1.0 - vec2(dot(root, h) * dot(root, h), dot(tip, h) * dot(tip, h)), 0.0)) : vec2(ndh);
        lobe = pow(lobe, power2);
        float face = hair ? smoothstep(-0.15, 0.5, ndl) : clamp(3.0 * ndl, 0.0, 1.0);
        float vdh = 1.0 - max(dot(v, h), 0.0);
        float fresnel = 1.0 + 12.0 * vdh * vdh * vdh * vdh * vdh;
#ifdef SOURCE
        vec3 soft = arriving(shadow_map, shadow_from_camera, p, surface.xyz, l, skin, odd);
        float s = soft.g, hole = shining(l);
#else
        float s = k == 0 ? mix(1.0, direct, shadow.x) : 1.0;
        vec3 soft = skin ? vec3(sqrt(s), s, s) : vec3(s);  // the shadow's edge is red on skin
        float hole = mix(1.0, open, 0.6);
#endif
        sum += power[k] * fall * hole * (soft * (albedo + fuzz) * diffuse + s * face * fresnel * (first * lobe.x + second * lobe.y));
    } while (++k < lamps);
    colour = vec4(sum, 1.0);
}
