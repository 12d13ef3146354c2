// Lamps and what they are worked out on; core/lamps.py says what each number is.
uniform vec4 lamp_place[SLOTS];      // position, or direction toward it; w: spread
uniform vec4 lamp_colour[SLOTS];     // linear BGR times power; w: squared distance and radius at which falloff is 1
uniform vec4 lamp_axis[SLOTS];       // direction in which it shines; w: cosine at a spot's rim
uniform vec2 lamp_beam[SLOTS];       // one over how much that cosine grows until full light; squared radius
uniform vec2 half_tangents;          // tan of half the horizontal and vertical field of view

vec3 place_at(vec2 uv, float depth) {
    return depth * vec3((uv.x * 2.0 - 1.0) * half_tangents.x, (1.0 - uv.y * 2.0) * half_tangents.y, -1.0);
}
