#version 330
// Where the guided alpha can come above `level` for any colour (shade/tiles.py: can_reach).
#include "guided.glsl"

uniform float level;
out float hit;

void main() {
    vec4 c = texelFetch(planes, ivec3(gl_FragCoord.xy, ALPHA), 0);
    vec3 most = max(c.xyz, 0.0);
    hit = c.w + most.x + most.y + most.z > level ? 1.0 : 0.0;
}
