#version 330
// What becomes of the picture's encoded values: the light's factor over the person and the backdrop's behind,
// mixed as the picture itself is mixed of both (core/planes.py: behind_share). With GAIN_ONLY that factor, to be
// applied elsewhere; else the picture times it.
#include "guided.glsl"
#include "colour.glsl"

uniform sampler2D picture;       // encoded BGR at this target's size
uniform sampler2D light_map;     // factors from light.frag, any size
uniform vec3 backdrop;           // factor where nobody is
uniform vec4 alpha_ends;         // guided alpha that counts as 0 and as 1; the same at a clear edge
uniform sampler2D contrast;      // colour of the person over that of what is behind, how clear that edge is; any size

in vec2 uv;
out vec4 colour;

void main() {
    vec3 seen = texelFetch(picture, ivec2(gl_FragCoord.xy), 0).xyz;
    vec4 sides = texture(contrast, uv);
    vec2 ends = mix(alpha_ends.xy, alpha_ends.zw, sides.w);
    float t = clamp((guided(ALPHA, uv, seen) - ends.x) / (ends.y - ends.x), 0.0, 1.0);
    float alpha = mix(t * t * (3.0 - 2.0 * t), t, sides.w);
    vec3 share = (1.0 - alpha) / (1.0 - alpha + alpha * sides.xyz);
    vec3 gain = mix(texture(light_map, uv).xyz, backdrop, share);
    gain *= shoulder(seen, seen * gain);
#ifdef GAIN_ONLY
    colour = vec4(gain, 1.0);
#else
    colour = vec4(seen * gain, 1.0);
#endif
}
