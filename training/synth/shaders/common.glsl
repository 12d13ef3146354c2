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
void put(vec3 albedo, float specular, vec3 n, vec3 l, float material) {
    vec3 toward = normalize(-camera);
    n = normalize(n);
    l = normalize(l);
    if (dot(n, toward) < 0.0) n = normalize(n - 2.0 * dot(n, toward) * toward);
    if (dot(l, toward) < 0.0) l = normalize(l - 1.02 * dot(l, toward) * toward);
    out_albedo = vec4(sqrt(clamp(albedo, 0.0, 1.0)), specular);
    out_normal = vec4(n, material + 4.0 * part);
    out_label = vec4(l, -camera.z);
}
#else
// For shadow maps: a material's holes and nothing else of it.
void put(vec3 albedo, float specular, vec3 n, vec3 l, float material) {}
#endif
