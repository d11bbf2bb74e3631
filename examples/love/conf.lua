-- How the window looks. LÖVE reads this file before main.lua.

function love.conf(t)
  t.identity = "zohocrm-board"
  t.version = "11.4"
  t.window.title = "Pipeline"
  t.window.width, t.window.height = 1120, 640
  t.window.resizable = true
  t.modules.audio, t.modules.sound, t.modules.physics, t.modules.video, t.modules.joystick = false, false, false, false, false
end
