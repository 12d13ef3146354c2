#version 330
// Lambert and normalised Blinn-Phong for every light, at the light map's size, as the factor on encoded values.
#ifdef SHAPE_GIVEN
uniform sampler2D shape;      // depth, normal at this size
#else
#include "guided.glsl"
#endif
#include "colour.glsl"

uniform sampler2D picture;    // at this size, encoded BGR
uniform float ambient;        // on the light already there
uniform float darkest;        // base colour below which a highlight grows no further
uniform vec2 half_tangents;   // tan of half the horizontal and vertical field of view
uniform vec4 lamp_place[SLOTS];   // camera-space position or direction; w: 0 directional, 1 point, 2 ambient
uniform vec4 lamp_colour[SLOTS];  // linear BGR times power; w: wrap
uniform float lamp_reference[SLOTS];  // squared distance at which falloff is 1
uniform float specular;
uniform float shininess;
uniform float max_falloff;

in vec2 uv;
out vec4 factor;

void main() {
    vec3 seen = texelFetch(picture, ivec2(gl_FragCoord.xy), 0).xyz;
#ifdef SHAPE_GIVEN
    vec4 there = texelFetch(shape, ivec2(gl_FragCoord.xy), 0);
#else
    vec4 there = vec4(guided(DEPTH, uv, seen), guided(NORMAL_X, uv, seen), guided(NORMAL_Y, uv, seen),
                      guided(NORMAL_Z, uv, seen));
#endif
    vec3 n = there.yzw / max(length(there.yzw), 1e-6);
    float depth = clamp(there.x, 0.2, 5.0);
    vec3 p = depth * vec3((uv.x * 2.0 - 1.0) * half_tangents.x, (1.0 - uv.y * 2.0) * half_tangents.y, -1.0);
    vec3 view = normalize(-p);
    vec3 total = vec3(0.0);
    float shine = 0.0;
    for (int i = 0; i < COUNT; i++) {
        vec4 place = lamp_place[i];
        vec3 colour = lamp_colour[i].xyz;
        float wrap = lamp_colour[i].w;
        vec3 to = place.w == 1.0 ? place.xyz - p : place.xyz;
        float d2 = max(dot(to, to), 1e-4);
        float fall = place.w == 1.0 ? min(lamp_reference[i] / d2, max_falloff) : 1.0;
        vec3 toward = to * inversesqrt(d2);
        float cosine = dot(n, toward);
        float lambert = clamp((cosine + wrap) / (1.0 + wrap), 0.0, 1.0) * fall;
        vec3 halfway = toward + view;
        halfway /= max(length(halfway), 1e-6);
        float lobe = pow(clamp(dot(n, halfway), 0.0, 1.0), shininess) * clamp(cosine, 0.0, 1.0) * fall;
        bool everywhere = place.w == 2.0;
        total += colour * (everywhere ? 1.0 : lambert);
        shine += luma(colour) * (everywhere ? 0.0 : lobe * specular);
    }
    // Highlights take the colour of the diffuse light at their place. On black cloth, with normals as smooth as a
    // network's, they would read as fog: they fade below mid-grey.
    vec3 base = pow(seen, vec3(GAMMA));
    float sheen = min(sqrt(luma(base) / 0.18), 1.0);
    vec3 gloss = total * (shine * sheen / max(luma(total), 1e-3)) / max(base, vec3(darkest));
    factor = vec4(pow(ambient + total + gloss, vec3(1.0 / GAMMA)), 1.0);
}
