#version 330
// Every lamp's light at the light map's size, as the factor on encoded values (core/reference.py: light_map,
// factor_map). EACH_LAMP calls one function a lamp, so that only what there is gets compiled.
#include "colour.glsl"
#include "brdf.glsl"
#include "lamps.glsl"
#ifdef AREA_LIGHTS
#include "area.glsl"
uniform float area_unit[AREA_LIGHTS];  // what a surface at the head gets that faces it
#endif
#ifdef ENVIRONMENT
#include "environment.glsl"
#endif

uniform sampler2D shape;      // depth, normal at this size
uniform sampler2D softened;   // normal without fine relief, blurred alpha
uniform sampler2D shadows;    // what is seen of the lamps, by slot
uniform sampler2D picture;    // encoded BGR; at this size unless PICTURE_APART
uniform float ambient;        // on the light already there
uniform float darkest;        // base colour below which a highlight grows no further
uniform float specular;       // of the usual strength
uniform float roughness;
uniform float softness;
uniform float sky;
#ifdef PRESENT_MAP
uniform sampler2D present_map;  // log2 of the light that is there (planes.shading)
#else
uniform float present[9];     // shading that is there (core/present.py)
#endif
uniform vec2 evened;          // how much of it is evened out: of what is there, under our lights

in vec2 uv;
out vec4 factor;

const float RIM = 1.0 / 64.0;  // from the silhouette to where a rim light ends, of the longer side

vec3 p, n, soft, view;
vec3 total = vec3(0.0);
float shine = 0.0;

vec3 unit(vec3 v) {
    return v / max(length(v), 1e-6);
}

void add(int i, vec3 toward, vec3 normal, vec3 under, float fall) {
    float spread = lamp_place[i].w;
    float cosine = dot(normal, toward);
    vec3 mixed = vec3(cosine) + (dot(under, toward) - cosine) * softness * SCATTER;
    vec3 matt = warm(horizon(mixed, min(spread + softness * GLOW, vec3(1.0))));
    vec3 halfway = unit(toward + view);
    float nl = clamp(cosine, 0.0, 1.0);
    float nv = clamp(dot(normal, view), 1e-3, 1.0);
    float gloss = ggx(nl, nv, clamp(dot(normal, halfway), 0.0, 1.0), dot(toward, halfway), roughness * roughness,
                      spread, F0);
#ifdef OREN_NAYAR
    matt *= oren_nayar(nl, nv, dot(toward, view), roughness);
#endif
    total += lamp_colour[i].xyz * matt * fall;
    shine += luma(lamp_colour[i].xyz) * gloss * specular * fall * sure(nv);
}

void directional_lamp(int i, float seen) {
    add(i, lamp_place[i].xyz, n, soft, seen);
}

void near_lamp(int i, vec3 normal, vec3 under, float seen) {
    vec3 to = lamp_place[i].xyz - p;
    float d2 = max(dot(to, to), 1e-4);
    add(i, to * inversesqrt(d2), normal, under, lamp_colour[i].w / (d2 + lamp_beam[i].y) * seen);
}

void point_lamp(int i, float seen) {
    near_lamp(i, n, soft, seen);
}

void spot_lamp(int i, float seen) {
    vec3 toward = unit(lamp_place[i].xyz - p);
    float beam = clamp((-dot(toward, lamp_axis[i].xyz) - lamp_axis[i].w) * lamp_beam[i].x, 0.0, 1.0);
    near_lamp(i, n, soft, seen * beam * beam * (3.0 - 2.0 * beam));
}

void rim_lamp(int i, float seen, float narrow) {
    // Bent outward at the silhouette, where alpha falls; a network's normals hardly turn away there.
    vec2 size = vec2(textureSize(softened, 0));
    vec2 reach = RIM * max(size.x, size.y) / size;
    vec2 x = vec2(reach.x, 0.0), y = vec2(0.0, reach.y);
    float right = texture(softened, uv + x).w, left = texture(softened, uv - x).w;
    float below = texture(softened, uv + y).w, above = texture(softened, uv - y).w;
    vec3 outward = unit(vec3(left - right, below - above, 0.0));
    float bend = clamp(2.0 - 0.5 * (right + left + below + above), 0.0, 1.0);
    // Without a shadow of its own along the silhouette alone: noses face sideways too.
    float turned = clamp(2.0 - 2.0 * dot(n, view), 0.0, 1.0);
    float band = mix(1.0, bend * bend * (3.0 - 2.0 * bend) * turned, narrow);
    // Both alike: bent apart from each other they would take the light's red away.
    near_lamp(i, unit(n * (1.0 - bend) + outward * bend), unit(soft * (1.0 - bend) + outward * bend), seen * band);
}

void hemisphere_lamp(int i, float seen) {
    float own = dot(n, lamp_place[i].xyz);
    vec3 spread = warm(vec3(own) + (dot(soft, lamp_place[i].xyz) - own) * softness * SCATTER);
    total += lamp_colour[i].xyz * (1.0 + sky * spread);
}

#ifdef AREA_LIGHTS
void area_lamp(int i, float seen, int k, int count) {
    vec2 sums = area_light(p, n, view, 8 * k, count) / area_unit[k];
    float under = area_diffuse(p, soft, 8 * k, count) / area_unit[k];
    vec3 matt = max(warm(vec3(sums.x) + (under - sums.x) * softness * SCATTER), vec3(0.0));
    sums *= seen;
    total += lamp_colour[i].xyz * matt * seen;
    shine += luma(lamp_colour[i].xyz) * sums.y * specular * sure(clamp(dot(n, view), 1e-3, 1.0));
}
#endif

#ifdef ENVIRONMENT
void env_lamp(int i, float seen) {
    vec3 matt = env_diffuse(n);
    total += lamp_colour[i].xyz * max(matt + (env_diffuse(soft) - matt) * softness * SCATTER, vec3(0.0));
    shine += luma(lamp_colour[i].xyz) * luma(env_specular(n, view, roughness, F0)) * specular
           * sure(clamp(dot(n, view), 1e-3, 1.0));
}
#endif

float stops() {
#ifdef PRESENT_MAP
    return texture(present_map, uv).x;
#else
    float x = n.x, y = n.y, z = n.z;
    float value = present[0] + present[1] * x + present[2] * y + present[3] * z + present[4] * (x * y)
                + present[5] * (y * z) + present[6] * (3.0 * z * z - 1.0) + present[7] * (x * z)
                + present[8] * (x * x - y * y);
    float low = clamp(value + 0.15, 0.0, 0.3);
    return log2(max(low * low / 0.6 + max(value - 0.15, 0.0), 0.05));
#endif
}

vec2 quotient() {
    float t = stops();
    float t2 = t * t;
    return exp2(-evened * (t * inversesqrt(sqrt(1.0 + t2 * t2))));
}

void main() {
#ifdef PICTURE_APART
    vec3 seen = texture(picture, uv).xyz;
#else
    vec3 seen = texelFetch(picture, ivec2(gl_FragCoord.xy), 0).xyz;
#endif
    vec4 there = texelFetch(shape, ivec2(gl_FragCoord.xy), 0);
    n = unit(there.yzw);
    p = place_at(uv, clamp(there.x, 0.2, 5.0));
    view = unit(-p);
    soft = unit(texture(softened, uv).xyz);
    vec4 shade = vec4(1.0);
#ifdef SHADOWS
    shade = texture(shadows, uv);
#endif
    EACH_LAMP
    // Highlights take the colour of the diffuse light at their place. On black cloth, with normals as smooth as a
    // network's, they would read as fog: they fade below mid-grey.
    vec3 base = pow(seen, vec3(GAMMA));
    float sheen = min(sqrt(luma(base) / 0.18), 1.0);
    vec3 gloss = total * (shine * sheen / max(luma(total), 1e-3)) / max(base, vec3(darkest));
    vec2 even = quotient();
    factor = vec4(pow(ambient * even.x + total * even.y + gloss, vec3(1.0 / GAMMA)), ambient * even.x);
}
