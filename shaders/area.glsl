// Light from convex polygons: core/area.py says how and in which units.
#ifndef AREA_LIGHTS
#define AREA_LIGHTS 1
#endif
// Eight corners a light, of which 4 or 8 are used; counter-clockwise as seen from where it shines to.
uniform vec3 area_corners[8 * AREA_LIGHTS];
// n x 1 texels a, b, d, albedo (float32) by the cosine of normal and viewer: area.row_of; filter LINEAR.
uniform sampler2D area_row;

// Angle between a and b times z of the unit normal of their plane, over 2 pi (negative: corners run the other
// way round). The polynomial is acos(y) / sqrt(1 - y * y) / 2 pi within 2e-5 of itself.
float area_edge(vec3 a, vec3 b) {
    float r = inversesqrt(max(dot(a, a) * dot(b, b), 1e-24));
    float x = dot(a, b) * r;
    float y = min(abs(x), 1.0);
    float part = 0.12097629 + y * (-0.08621975 + y * (0.0438843 - y * 0.01064603));
    part = r * (0.2499958 + y * (y * part - 0.15883837));
    vec3 normal = cross(b - a, a);  // of a difference: a small light's keeps its digits
    // Edges that pass overhead of a shiny surface come close to half a turn: 1 - y * y has no digits there.
    return (x < 0.0 ? 0.5 * inversesqrt(max(dot(normal, normal), 1e-30)) - part : part) * normal.z;
}

vec3 area_shear(vec4 row, vec3 v) {
    return vec3(row.x * v.x + row.y * v.z, v.y, row.z * v.z);
}

// x: what a matt surface gathers, y: what a lobe does whose shear is row.xyz as the table has it.
vec2 area_sums(vec3 p, vec3 n, vec3 view, int first, int count, vec4 row) {
    vec3 x = view - n * dot(n, view);
    vec3 spare = abs(n.x) > 0.5 ? vec3(-n.z, 0.0, n.x) : vec3(0.0, n.z, -n.y);
    row.y *= length(x);  // the sine of view and normal
    x = dot(x, x) > 1e-6 ? x : spare;  // seen straight on any direction will do
    x *= inversesqrt(dot(x, x));
    mat3 frame = mat3(x, cross(n, x), n);
    vec2 total = vec2(0.0);
    vec3 sets = vec3(0.0), rises = vec3(0.0);  // where the polygon crosses the horizon
    vec3 last = (area_corners[first + count - 1] - p) * frame;
    int i = first;
    // Four edges at a time, tested at the end: software rasterisers run a last round for nothing else.
    do {
        for (int j = 0; j < 4; j++, i++) {
            vec3 here = (area_corners[i] - p) * frame;
            bool low = last.z < 0.0, lower = here.z < 0.0;
            vec3 cut = vec3(here.xy * abs(last.z) + last.xy * abs(here.z), 0.0);  // its direction is enough
            vec3 a = low ? cut : last, b = lower ? cut : here;
            total += vec2(area_edge(a, b), area_edge(area_shear(row, a), area_shear(row, b)));
            sets = lower && !low ? cut : sets;
            rises = low && !lower ? cut : rises;
            last = here;
        }
    } while (i < first + count);
    total += vec2(area_edge(sets, rises), area_edge(area_shear(row, sets), area_shear(row, rises)));
    return max(total, vec2(0.0));
}

// Diffuse and specular at once, for about two thirds of what both cost apart. p: place, n: unit normal, view:
// unit vector toward the viewer, camera space; first: 8 times the light's number, count: 4 or 8.
vec2 area_light(vec3 p, vec3 n, vec3 view, int first, int count) {
    float cosine = clamp(dot(n, view), 0.0, 1.0);
    float size = float(textureSize(area_row, 0).x);
    vec4 row = texture(area_row, vec2((cosine * (size - 1.0) + 0.5) / size, 0.5));
    return area_sums(p, n, view, first, count, row) * vec2(1.0, row.w);
}

float area_diffuse(vec3 p, vec3 n, int first, int count) {
    return area_sums(p, n, n, first, count, vec4(0.0)).x;
}

float area_specular(vec3 p, vec3 n, vec3 view, int first, int count) {
    return area_light(p, n, view, first, count).y;
}
