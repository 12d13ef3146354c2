// For light.frag where SOURCE is defined: the light of one point of a source that has a size.
uniform vec3 facing;  // the way a flat source looks, camera axes; 0: it shines every way alike
uniform vec2 under;   // metres that light spreads under skin: red, the others
uniform float turn;   // radians: every point of the source probes other places

// Share of the light that a place p gets, by a shadow map with perspective. What it does not hold is lit.
float arrives(sampler2D map, mat4 map_from_camera, vec3 p) {
    vec4 q = map_from_camera * vec4(p, 1.0);
    vec3 at = q.xyz / max(q.w, 1e-3) * 0.5 + 0.5;
    if (q.w < 1e-2 || any(lessThan(at.xy, vec2(0.001))) || any(greaterThan(at.xy, vec2(0.999)))) return 1.0;
    vec2 texel = at.xy * vec2(textureSize(map, 0)) - 0.5, part = fract(texel);
    ivec2 i = ivec2(floor(texel));
    vec4 depth = vec4(texelFetch(map, i, 0).r, texelFetch(map, i + ivec2(1, 0), 0).r,
                      texelFetch(map, i + ivec2(0, 1), 0).r, texelFetch(map, i + ivec2(1, 1), 0).r);
    vec4 free = vec4(greaterThanEqual(depth, vec4(at.z)));
    vec2 rows = mix(free.xz, free.yw, part.x);
    return mix(rows.x, rows.y, part.y);
}

// The same for light of each colour on a surface with normal n, l toward the source: under skin red light
// comes from further round the place.
vec3 arriving(sampler2D map, mat4 map_from_camera, vec3 p, vec3 n, vec3 l, bool skin, vec2 odd) {
    vec3 side = normalize(cross(n, abs(n.y) < 0.9 ? vec3(0.0, 1.0, 0.0) : vec3(1.0, 0.0, 0.0)));
    vec3 up = cross(n, side), off = p + 0.004 * n + 0.002 * l;  // or the surface would shade itself
    mat2 turned = mat2(cos(turn), sin(turn), -sin(turn), cos(turn));
    vec2 reach = skin ? under : vec2(under.y);
    float red = 0.0, rest = 0.0;
    for (int k = 0; k < PROBES / 4; k++) {
        vec2 o = turned * probe(k, odd);
        vec3 way = o.x * side + o.y * up;
        rest += arrives(map, map_from_camera, off + reach.y * way);
        red += skin ? arrives(map, map_from_camera, off + reach.x * way) : 0.0;
    }
    return vec3(skin ? red : rest, rest, rest) / float(PROBES / 4);
}

// Of the light of a flat source, what goes the way -l.
float shining(vec3 l) { return dot(facing, facing) > 0.5 ? max(-dot(facing, l), 0.0) : 1.0; }
