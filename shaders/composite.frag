#version 330
// What becomes of the picture's encoded values: the light's factor over the person, by the soft alpha, and the
// backdrop's behind. With GAIN_ONLY that factor, to be applied elsewhere; else the picture times it.
#include "guided.glsl"
#include "colour.glsl"

uniform sampler2D picture;       // encoded BGR at this target's size
uniform sampler2D light_map;     // factors from light.frag, any size
uniform vec3 backdrop;           // factor where nobody is
uniform vec2 alpha_ends;         // guided alpha that counts as 0 and as 1

in vec2 uv;
out vec4 colour;

void main() {
    vec3 seen = texelFetch(picture, ivec2(gl_FragCoord.xy), 0).xyz;
    float alpha = smoothstep(alpha_ends.x, alpha_ends.y, guided(ALPHA, uv, seen));
    vec3 gain = backdrop + (texture(light_map, uv).xyz - backdrop) * alpha;
    gain *= shoulder(seen, seen * gain);
#ifdef GAIN_ONLY
    colour = vec4(gain, 1.0);
#else
    colour = vec4(seen * gain, 1.0);
#endif
}
