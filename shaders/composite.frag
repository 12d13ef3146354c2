#version 330
// Picture times light, in linear light, over the person by the soft alpha, at full size.
#include "guided.glsl"
#include "colour.glsl"

uniform sampler2D picture;       // sRGB-encoded BGR
uniform sampler2D light_map;     // diffuse BGR, luma of the highlights; linear, any size
uniform float ambient;           // on the light already there: on the person
uniform float backdrop;          // and behind
uniform vec2 alpha_ends;         // guided alpha that counts as 0 and as 1

in vec2 uv;
out vec4 colour;

void main() {
    vec3 encoded = texelFetch(picture, ivec2(gl_FragCoord.xy), 0).xyz;
    float alpha = smoothstep(alpha_ends.x, alpha_ends.y, guided(ALPHA, uv, encoded));
    vec3 base = srgb_to_linear(encoded);
    vec4 light = texture(light_map, uv);
    vec3 gain = mix(vec3(backdrop), ambient + light.xyz, alpha);
    // Highlights take the colour of the diffuse light at their place. On black cloth, with normals as smooth as a
    // network's, they would read as fog: they fade below mid-grey.
    float sheen = min(sqrt(max(luma(base), 0.0) / 0.18), 1.0);
    vec3 lit = base * gain + light.xyz * (light.w * sheen * alpha / max(luma(light.xyz), 1e-3));
    // What no light reaches comes out as it went in, to the bit.
    colour = vec4(lit == base ? encoded : linear_to_srgb(shoulder(lit, base)), 1.0);
}
