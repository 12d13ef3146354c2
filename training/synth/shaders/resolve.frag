#version 330
// 2x2 average of the G-buffer over covered samples: one shading per pixel, soft coverage.
uniform sampler2D albedo_map;
uniform sampler2D normal_map;
uniform sampler2D label_map;
uniform float other;  // the part that is before the person and not of it
layout(location = 0) out vec4 out_albedo;  // sqrt of linear albedo, specular strength
layout(location = 1) out vec4 out_normal;  // shading normal, material
layout(location = 2) out vec4 out_label;   // label normal, z-distance in metres (0: nothing)
layout(location = 3) out vec4 out_cover;   // coverage by anything, by the person; part
void main() {
    ivec2 at = ivec2(gl_FragCoord.xy) * 2;
    vec4 albedo = vec4(0.0), normal = vec4(0.0), label = vec4(0.0), any_label = vec4(0.0);
    float count = 0.0, own = 0.0, part = 0.0, any_part = 0.0;
    for (int k = 0; k < 4; k++) {
        ivec2 q = at + ivec2(k & 1, k >> 1);
        vec4 l = texelFetch(label_map, q, 0);
        vec4 n = texelFetch(normal_map, q, 0);
        float p = floor(0.25 * n.w);
        float hit = l.w > 0.0 ? 1.0 : 0.0;
        float mine = p == other ? 0.0 : hit;
        vec4 a = texelFetch(albedo_map, q, 0);
        albedo += hit * vec4(a.rgb * a.rgb, a.a);
        normal = vec4(normal.xyz + hit * n.xyz, max(normal.w, hit * (n.w - 4.0 * p)));
        label += mine * l;
        any_label += hit * l;
        part = part == 0.0 ? mine * p : part;
        any_part = any_part == 0.0 ? hit * p : any_part;
        count += hit;
        own += mine;
    }
    float share = 1.0 / max(count, 1.0);
    // Where the person has no sample, what covers it still has to be lit at its own place.
    vec4 l = own > 0.0 ? label : any_label;
    out_albedo = vec4(sqrt(albedo.rgb * share), albedo.a * share);
    out_normal = vec4(normal.xyz / max(length(normal.xyz), 1e-4), normal.w);
    out_label = vec4(l.xyz / max(length(l.xyz), 1e-4), l.w / max(own > 0.0 ? own : count, 1.0));
    out_cover = vec4(count * 0.25, own * 0.25, (own > 0.0 ? part : any_part) / 255.0, 0.0);
}
