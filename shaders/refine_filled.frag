#version 330
// On half the grid: depth, normal and shading carried beyond the silhouette (core/planes.py: filled, shading).
#include "refine_steady.glsl"

uniform sampler2D held;       // refine_halves.frag's, blurred
uniform sampler2D cover;

layout(location = 0) out vec4 filled;   // depth, normal
layout(location = 1) out vec4 soft;     // normal, alpha
layout(location = 2) out float present;  // shading

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 own = halved(shape, at), others = halved(rest, at), spread = texelFetch(cover, at, 0);
    float solid = inside(others.x), weight = spread.x + 1e-3;
    vec4 near = (texelFetch(held, at, 0) + 1e-3 * vec4(1.0, 0.0, 0.0, 1.0)) / weight;
    filled = near + (own - near) * solid;
    soft = vec4(filled.yzw, others.x);
    float far = spread.y / weight;
    present = far + (others.z - far) * solid;
}
