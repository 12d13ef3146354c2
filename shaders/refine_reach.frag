#version 330
// Where the guided alpha can come above what counts as 0 for any colour (shade/tiles.py: levels, can_reach).
#include "guided.glsl"

uniform sampler2D contrast;   // w: how clear the edge is
uniform vec2 ends;    // alpha that counts as 0: where both sides of an edge are alike, and where they differ
uniform int pair;     // texels of `planes` to one of `contrast`
out float hit;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy), last = textureSize(contrast, 0) - 1;
    float most = 0.0;
    for (int y = -1; y <= 1; ++y)
        for (int x = -1; x <= 1; ++x)
            most = max(most, texelFetch(contrast, clamp(at / pair + ivec2(x, y), ivec2(0), last), 0).w);
    float level = mix(ends.x, ends.y, most);
    vec4 c = texelFetch(planes, ivec3(at, ALPHA), 0);
    vec3 up = max(c.xyz, 0.0);
    hit = c.w + up.x + up.y + up.z > level ? 1.0 : 0.0;
}
