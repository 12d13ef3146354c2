#version 330
// Where the guided alpha can come above what counts as 0 for any colour (shade/tiles.py: levels, can_reach).
#include "guided.glsl"

uniform sampler2D contrast;
uniform vec2 ends;    // alpha that counts as 0: where both sides of an edge are alike, and where they differ
uniform float clear;  // by how much one side outshines the other there
uniform int pair;     // texels of `planes` to one of `contrast`
out float hit;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy), last = textureSize(contrast, 0) - 1;
    float most = 1.0;
    for (int y = -1; y <= 1; ++y)
        for (int x = -1; x <= 1; ++x) {
            float ratio = texelFetch(contrast, clamp(at / pair + ivec2(x, y), ivec2(0), last), 0).x;
            most = max(most, max(ratio, 1.0 / ratio));
        }
    float level = mix(ends.x, ends.y, min((most - 1.0) / clear, 1.0));
    vec4 c = texelFetch(planes, ivec3(at, ALPHA), 0);
    vec3 up = max(c.xyz, 0.0);
    hit = c.w + up.x + up.y + up.z > level ? 1.0 : 0.0;
}
