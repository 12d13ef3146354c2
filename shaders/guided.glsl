// Geometry as guided-filter coefficients: value = a . picture + b, one layer a map.
#define ALPHA 0
#define DEPTH 1
#define NORMAL_X 2
#define NORMAL_Y 3
#define NORMAL_Z 4

uniform sampler2DArray planes;

float guided(int layer, vec2 at, vec3 picture) {
    vec4 c = texture(planes, vec3(at, float(layer)));
    return dot(c.xyz, picture) + c.w;
}
