#version 330
uniform sampler3D noise_map;
in vec3 camera;
in vec3 normal;
in vec3 label;
in vec2 uv;
in vec3 rest;
in vec2 aux;
#ifndef CUTOUT
layout(location = 0) out vec4 out_albedo;  // sqrt of linear albedo; a = specular strength
layout(location = 1) out vec4 out_normal;  // shading normal; w = material (0 cloth, 1 skin, 2 hair, 3 glossy) + 4 part
layout(location = 2) out vec4 out_label;   // label normal; w = z-distance in metres
#endif
uniform float part;  // its number

float hash(vec2 p) { return fract(sin(dot(p, vec2(12.9898, 78.233))) * 43758.5453); }

// Four independent smooth fields at once; one lattice cell per unit of p, values 0..1.
vec4 noise4(vec3 p) { return texture(noise_map, p / 32.0); }
float noise(vec3 p) { return noise4(p).r; }

#ifndef CUTOUT
// What is seen from behind faces the other way; what looks away only because normals are interpolated is bent by
// `much` of what is missing. Hair is one volume: of strands behind others the mirror image fits to those before.
vec3 turned(vec3 v, vec3 toward, float much, bool hair) {
    float away = dot(v, toward);
    if (away >= 0.0) return v;
    if (hair) return normalize(v - 2.0 * away * toward);
    return away < -0.3 ? -v : normalize(v - much * away * toward);
}

void put(vec3 albedo, float specular, vec3 n, vec3 l, float material) {
    vec3 toward = normalize(-camera);
    n = turned(normalize(n), toward, 2.0, material == 2.0);
    l = turned(normalize(l), toward, 1.02, material == 2.0);
    out_albedo = vec4(sqrt(clamp(albedo, 0.0, 1.0)), specular);
    out_normal = vec4(n, material + 4.0 * part);
    out_label = vec4(l, -camera.z);
}
#else
// For shadow maps: a material's holes and nothing else of it.
void put(vec3 albedo, float specular, vec3 n, vec3 l, float material) {}
#endif
