#version 330
// Person space (metres, y up, facing +z) -> camera space (x right, y up, z toward the viewer).
uniform mat4 view;
uniform mat4 projection;
uniform float lens;  // radial distortion: x_d = x (1 + lens r^2), in units of z
in vec3 in_position;
in vec3 in_normal;
in vec3 in_label;
in vec2 in_uv;
in vec3 in_rest;
in vec2 in_aux;
out vec3 camera;
out vec3 normal;
out vec3 label;
out vec2 uv;
out vec3 rest;
out vec2 aux;
void main() {
    vec4 p = view * vec4(in_position, 1.0);
    camera = p.xyz;
    normal = mat3(view) * in_normal;
    label = mat3(view) * in_label;
    uv = in_uv;
    rest = in_rest;
    aux = in_aux;
    vec4 seen = p;
    vec2 ray = p.xy / max(-p.z, 1e-3);
    // Far outside the picture the polynomial would turn back: hold it there.
    seen.xy *= 1.0 + lens * min(dot(ray, ray), 2.5);
    gl_Position = projection * seen;
}
