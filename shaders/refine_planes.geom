#version 330
// Everything into each layer of the target.
layout(triangles) in;
layout(triangle_strip, max_vertices = 15) out;
flat out int layer;

void main() {
    for (int k = 0; k < 5; ++k) {
        for (int i = 0; i < 3; ++i) {
            gl_Layer = layer = k;
            gl_Position = gl_in[i].gl_Position;
            EmitVertex();
        }
        EndPrimitive();
    }
}
