#version 330
// Boxes of the target, one an instance, as strips of two triangles; uv (0,0) is the picture's top left because rows
// go up in memory order.
in vec4 box;  // left, top, right, bottom in uv
out vec2 uv;

void main() {
    uv = mix(box.xy, box.zw, vec2(gl_VertexID & 1, gl_VertexID >> 1));
    gl_Position = vec4(uv * 2.0 - 1.0, 0.0, 1.0);
}
