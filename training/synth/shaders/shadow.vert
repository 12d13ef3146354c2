#version 330
uniform mat4 light;
in vec3 in_position;
void main() { gl_Position = light * vec4(in_position, 1.0); }
