--- Words of which sample records are made.
-- @module zohocrm.sandbox.words

local M = {}

M.first_names = {
  "Ana", "Anders", "Amélie", "Ayumi", "Björn", "Camille", "Carissa", "Chau", "Chloé", "Dagmar",
  "Daniel", "Elif", "Emeka", "Émile", "Fatima", "Felix", "Gloria", "Hana", "Ingrid", "Ishan", "Jan",
  "Josephine", "José", "Jun", "Kavya", "Kwame", "Leila", "Leota", "Lucía", "Magnus", "María", "Matej",
  "Mitsue", "Mohammed", "Nadia", "Niamh", "Noor", "Oluwaseun", "Pedro", "Priya", "Rachel", "Renée",
  "Sage", "Sakura", "Simon", "Søren", "Theo", "Tomás", "Ulla", "Viktor", "Wanjiru", "Wei", "Yasmin",
  "Yuki", "Zara", "Zoë", "Łukasz",
}

M.last_names = {
  "Andersson", "Aoki", "Baptista", "Bianchi", "Bowman", "Braun", "Chemel", "Chen", "Costa", "Darakjy",
  "De Vries", "Dubois", "Eriksen", "Fernández", "Foller", "García", "Gómez", "Gupta", "Haddad",
  "Hansen", "Horváth", "Ivanova", "Jansen", "Kamau", "Kaya", "Kim", "Kowalski", "Larsen", "Lindqvist",
  "Marier", "Meyer", "Morasca", "Mwangi", "Müller", "Nakamura", "Nestle", "Nguyen", "Novák",
  "O'Connor", "Okafor", "Oliveira", "Östberg", "Petrov", "Poquette", "Rossi", "Ruta", "Santos", "Sato",
  "Schäfer", "Sergi", "Silva", "Singh", "Smith", "Tollner", "Van den Berg", "Wieser", "Yilmaz", "Zhang",
  "Žižek", "Wójcik",
}

M.companies = {
  "Rangoni", "Feltz", "Chapman", "Benton", "Printing Dimensions", "King", "Truhlar", "Commercial Press",
  "Morlong", "Chanay", "Nordlys", "Brücke", "Atlântico", "Sakura Trading", "Kilima", "Aurora",
  "Monte Verde", "Baltica", "Ganges Textiles", "Pampas", "Café Central", "Solstice", "Harbour Lights",
  "Blue Heron", "Silverline", "Ivory Coast Cocoa", "Zenith", "Ölmühle",
}

M.company_forms = {
  "Ltd", "Inc", "GmbH", "AB", "SA", "Associates", "Printing Service", "& Sons", "Group", "Partners",
  "Logistics", "Labs",
}

-- { city, state, country, form of the postal code (# stands for a digit) }
M.places = {
  { "Oslo", "Oslo", "Norway", "0###" }, { "Rome", "Lazio", "Italy", "001##" },
  { "São Paulo", "SP", "Brazil", "01###-000" }, { "Zürich", "ZH", "Switzerland", "80##" },
  { "Kraków", "Małopolska", "Poland", "3#-###" }, { "東京", "東京都", "Japan", "1##-00##" },
  { "Москва", "Москва", "Russia", "1#####" }, { "Nairobi", "Nairobi County", "Kenya", "00###" },
  { "Lagos", "Lagos State", "Nigeria", "10####" }, { "Mumbai", "MH", "India", "4000##" },
  { "Chennai", "TN", "India", "6000##" }, { "San Francisco", "CA", "United States", "941##" },
  { "New Orleans", "LA", "United States", "701##" }, { "Brighton", "MI", "United States", "481##" },
  { "Montréal", "QC", "Canada", "H2X 1A#" }, { "Ciudad de México", "CDMX", "Mexico", "0####" },
  { "Córdoba", "Córdoba", "Argentina", "50##" }, { "Köln", "NRW", "Germany", "506##" },
  { "Malmö", "Skåne", "Sweden", "21# ##" }, { "Reykjavík", "Höfuðborgarsvæðið", "Iceland", "1##" },
  { "Cork", "Munster", "Ireland", "T12 X#Y#" }, { "Athens", "Attica", "Greece", "10# ##" },
  { "İzmir", "İzmir", "Türkiye", "35###" }, { "Hà Nội", "Hà Nội", "Vietnam", "10####" },
  { "Seoul", "서울특별시", "South Korea", "04###" }, { "Sydney", "NSW", "Australia", "20##" },
  { "Auckland", "Auckland", "New Zealand", "10##" }, { "Cape Town", "Western Cape", "South Africa", "80##" },
}

M.streets = {
  "Harbour Street", "Main Street", "Rua das Flores", "Königsallee", "Via Garibaldi", "Rue de l'Église",
  "Market Lane", "Storgatan", "Avenida Central", "Station Road", "Calle Mayor", "Park Avenue",
  "Tulip Way", "Lindenstraße",
}

M.titles = {
  "CEO", "VP Accounting", "Marketing Executive", "Purchasing Manager", "Head of IT", "Office Manager",
  "Engineer", "Research Director", "Owner", "Sales Representative", "Chief of Operations",
}

M.departments = { "Purchasing", "Finance", "IT", "Marketing", "Operations", "Research", "Sales" }

M.products = {
  "Air Filter", "Bike Lamp", "Card Reader", "Desk Scanner", "Espresso Machine", "Floor Sensor",
  "Garden Pump", "Label Printer", "Monitor Arm", "Network Switch", "Office Chair", "Power Supply",
  "Rack Server", "Solar Panel", "Water Meter",
}

M.tasks = {
  "Register for the trade show", "Refer a customer", "Complete the product brochure",
  "Send the quotation", "Competitor comparison document", "Get approval from the manager",
  "Renew the licence", "Update the price list",
}

M.calls = { "Follow-up with lead", "Discuss the offer", "First contact", "Clarify delivery", "Support case", "Renewal" }

M.events = { "Demo", "Seminar", "Lunch meeting", "Quarterly review", "Webinar", "TradeShow", "Site visit", "Kick-off" }

M.campaigns = { "Spring Newsletter", "Autumn Fair", "Partner Days", "Summer Sale", "Product Launch", "Customer Meetup" }

M.descriptions = {
  "Met at the trade show; asked for a price list.", "Prefers to be called in the afternoon.",
  "Long-standing customer.", "Comparing three suppliers, decides this quarter.",
  "Needs an invoice in two languages.", "Came through the web form.",
}

M.tags = { "vip", "newsletter", "2026", "fair", "callback" }

-- The letters of the names above that an address cannot hold.
local ascii_letters = {
  ["á"] = "a", ["ä"] = "a", ["â"] = "a", ["ã"] = "a", ["é"] = "e", ["É"] = "e", ["ë"] = "e",
  ["í"] = "i", ["ó"] = "o", ["ö"] = "o", ["Ö"] = "o", ["ø"] = "o", ["ú"] = "u", ["ü"] = "u",
  ["ž"] = "z", ["Ž"] = "z", ["Ł"] = "l", ["ł"] = "l",
}

--- A word as part of a mail or web address: lower case, ASCII letters and digits only.
---@param text string
---@return string
function M.address_part(text)
  local ascii = text:gsub("[\194-\244][\128-\191]+", ascii_letters)
  return (ascii:lower():gsub("[^%w]", ""))
end

return M
