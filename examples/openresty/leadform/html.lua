--- HTML as values: `h.p { class = "note", "Dear ", name }`. Text becomes markup here and nowhere else, so whatever is
--- not an element made by this file is escaped: there is no way to forget it.

local M = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

-- Elements without content, which take no end tag.
local VOID = { input = true, meta = true, link = true, br = true }

local Element = {}

local function escape(text)
  return (tostring(text):gsub("[&<>\"']", ENTITIES))
end

local function write_attributes(out, attributes)
  local names = {}
  for name, value in pairs(attributes) do
    if type(name) == "string" and value then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = attributes[name]
    out[#out + 1] = value == true and (" %s"):format(name) or (' %s="%s"'):format(name, escape(value))
  end
end

local write

-- Elements, lists of them, and text; false and nil leave nothing behind.
local function write_children(out, list)
  for i = 1, table.maxn(list) do
    write(out, list[i])
  end
end

function write(out, node)
  if not node then
    return
  elseif type(node) ~= "table" then
    out[#out + 1] = escape(node)
  elseif getmetatable(node) ~= Element then
    write_children(out, node)
  else
    out[#out + 1] = "<" .. node.tag
    write_attributes(out, node.content)
    out[#out + 1] = ">"
    if not VOID[node.tag] then
      write_children(out, node.content)
      out[#out + 1] = "</" .. node.tag .. ">"
    end
  end
end

--- A whole document.
---@param root table its html element
---@return string
function M.document(root)
  local out = { "<!DOCTYPE html>\n" }
  write(out, root)
  return table.concat(out)
end

--- `M.elements.div { … }`: names are attributes (true: without a value; false: none), positions are content.
M.elements = setmetatable({}, {
  __index = function(self, tag)
    self[tag] = function(content)
      return setmetatable({ tag = tag, content = content or {} }, Element)
    end
    return self[tag]
  end,
})

return M
