#version 330
// On half the grid: the person's colour over that of what is behind, from blurred means, and how clear an edge
// that makes (core/planes.py: contrast).
#include "refine_guide.glsl"

uniform sampler2D near;       // colour of the person, its share; blurred
uniform sampler2D far;        // of what is behind
uniform float faint;
uniform float most;
uniform float clear;
uniform int pair;             // 2, or 1 where a side is odd

out vec4 contrast;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec3 own = 1e-3 * halved_colour(at, pair);
    vec4 front = texelFetch(near, at, 0), back = texelFetch(far, at, 0);
    vec3 ratio = ((front.xyz + own) / (front.w + 1e-3) + faint) / ((back.xyz + own) / (back.w + 1e-3) + faint);
    ratio = clamp(ratio, 1.0 / most, most);
    vec3 apart = max(ratio, 1.0 / ratio);
    contrast = vec4(ratio, clamp((max(max(apart.x, apart.y), apart.z) - 1.0) / clear, 0.0, 1.0));
}
