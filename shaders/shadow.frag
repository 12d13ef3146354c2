#version 330
// How much of each lamp that casts shadows a place sees, one channel a lamp: core/shadow.py says how.
#include "lamps.glsl"

uniform sampler2D shape;      // depth and normal at twice this target's size or the same
uniform sampler2D occluder;   // depth and alpha on the geometry's grid
uniform int steps;              // not a constant: another number of them is no other program
uniform float reach;
uniform float thickness;
uniform float lift;
uniform float slack;
uniform float least_cone;

in vec2 uv;
out vec4 seen;

const int PATTERN[16] = int[16](0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5);

float visibility(vec3 start, vec3 toward, float longest, float cone, float offset) {
    float least = 1.0;
    for (int k = 0; k < steps; k++) {
        float share = (float(k) + offset) / float(steps);
        float way = longest * share * share + 1e-3;
        vec3 at = start + toward * way;
        float deep = max(-at.z, 1e-3);
        vec2 where = vec2(0.5) + vec2(0.5, -0.5) * at.xy / (deep * half_tangents);
        vec2 there = texture(occluder, where).xy;
        float clear = there.x - deep;
        clear = max(clear, -clear - thickness);
        vec2 outside = abs(where - 0.5);
        clear += clamp(1.6 - 2.0 * there.y, 0.0, 1.0) + 100.0 * max(max(outside.x, outside.y) - 0.5, 0.0);
        least = min(least, 1.0 + (clear + slack * way) / (way * cone));
    }
    return clamp(least, 0.0, 1.0);
}

float far_lamp(int i, vec3 start, vec3 p, float offset) {
    return visibility(start, lamp_place[i].xyz, reach, max(lamp_place[i].w, least_cone), offset);
}

float near_lamp(int i, vec3 start, vec3 p, float offset) {
    vec3 to = lamp_place[i].xyz - p;
    float far = length(to);
    return visibility(start, to / max(far, 1e-4), min(reach, 0.9 * far), max(lamp_place[i].w, least_cone), offset);
}

void main() {
    vec4 there = texture(shape, uv);
    vec3 p = place_at(uv, clamp(there.x, 0.2, 5.0));
    vec3 start = p + there.yzw / max(length(there.yzw), 1e-6) * lift;
    ivec2 cell = ivec2(gl_FragCoord.xy) & 3;
    float offset = (float(PATTERN[cell.y * 4 + cell.x]) + 0.5) / 16.0;
    seen = vec4(1.0);
    EACH_SHADOW
}
