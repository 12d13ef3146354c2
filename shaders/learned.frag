#version 330
// The light map with the light network's word on some of the lamps (core/told.py: corrected, beside).
#include "colour.glsl"

uniform sampler2D heard;      // light map of the lamps that it corrects
uniform sampler2D said;       // stops (log2), and how much light may come there; any size
uniform float strength;       // how far it is taken, 0..1
uniform float stray;          // share of what may come by which a wrong shadow is lifted
#ifdef OTHERS
uniform sampler2D others;     // light map of the other lamps
#endif

in vec2 uv;
out vec4 factor;

vec3 share_of_lamps(vec4 map) {
    return max(pow(max(map.xyz, vec3(0.0)), vec3(GAMMA)) - map.w, vec3(0.0));
}

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 there = texelFetch(heard, at, 0);
    vec2 word = texture(said, uv).xy;
    float under = stray * word.y;
    vec3 light = max((share_of_lamps(there) + under) * exp2(word.x * strength) - under, vec3(0.0));
#ifdef OTHERS
    light += share_of_lamps(texelFetch(others, at, 0));
#endif
    factor = vec4(pow(there.w + light, vec3(1.0 / GAMMA)), there.w);
}
